//! OpenAI's sessions against the lab's strict stand-in on loopback: real sockets, nothing simulated but the model and the clock.
//! That one stands still while anybody has something to do, and jumps when all wait: minutes of talk take a second.

mod caller;
mod faults;
mod hour;
mod opening;
mod sessions;
mod talking;
