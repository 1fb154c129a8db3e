//! Gemini sessions against a scripted service on loopback: real sockets, nothing simulated but the model.

mod going_on;
mod opening;
mod service;
mod talking;
mod vertex;
