//! OpenAI's sessions against the lab's strict stand-in on loopback: real sockets, real time, nothing simulated but the model.

mod caller;
mod faults;
mod opening;
mod sessions;
mod talking;
