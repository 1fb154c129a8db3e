//! Calls through the whole server: real SIP and RTP on loopback, the lab's carrier and telephones on the other side, a
//! scripted engine inside. Each test ends by looking whether everything that calls hold was given back.

mod answerer;
mod doctor;
mod doors;
mod hooks;
mod inbound;
mod limits;
mod lines;
mod outbound;
mod redial;
#[path = "../support/steady.rs"]
mod steady;
#[path = "../support/world.rs"]
mod support;
mod transfer;
mod world;
