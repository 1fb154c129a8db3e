//! End-to-end tests, one file per subject. Everything runs on loopback, on free ports, beside everything else.

mod access;
mod contract;
mod crash;
mod cut_off;
mod demo;
mod dialogs;
mod doctor;
mod edits;
mod firestore;
mod first_version;
mod guide;
mod hostile;
mod inbound;
mod lookup;
mod mcp;
mod media;
mod nat;
mod outbound;
mod peers;
mod races;
mod registration;
mod strangers;
mod tls;
mod transfers;
mod twins;
mod webhooks;
