//! Calls: who may have one, the task that runs each, and the bridge between its audio and its agent.
//!
//! | module | holds |
//! |---|---|
//! | [`registry`] | the calls that are up; admits, dials, ends, drains |
//! | [`context`] | the handles and limits that every call is given |
//! | `check` | whether a user's engine could hold a call now |
//! | `ending` | what the failure of a leg means for the call |
//! | [`gate`] | the one gate before everything that is dialled |
//! | `keys` | keys that are sent to the other side |
//! | `own_call` | calls of a line to itself, and holding: what the doctor needs |
//! | `reoffer` | descriptions within a call: hold, resume, addresses |
//! | `task` | one call: waits, asks the machine, carries out |
//! | `answerer` | who has answered a call of ours, and what is done about a machine |
//! | `early` | audio before the answer |
//! | `audio` | port, SDP and media of one call |
//! | `audio_evidence` | its figures for the record, and a warning when audio goes one way |
//! | `agent` | the engine of one call: connecting, then bridged |
//! | `bridge` | pumps audio between media and engine; only facts rise |
//! | `barge_in` | the caller speaks over the agent: stop, then go on or give way |
//! | `protection` | a greeting that the caller cannot interrupt |
//! | `withheld` | what the engine does not hear of the caller while the agent speaks |
//! | `bridging` | what an engine that takes over begins with |
//! | `dead_air` | what to do when the caller has spoken and hears nothing |
//! | `persona` | what an engine is told of one call |
//! | `talk` | what the agent says and does, and what is done when it fails |
//! | `timers` | a machine's timers |
//! | `transfer` | the caller is handed over to a human |
//! | `refused` | the record of a call that was refused |
//! | `refer` | the other side asks us to go on elsewhere |
//! | `replaces` | another leg takes the place of one of the call's |
//! | [`rates`] | between the rates of a line and those of the engine that took it over |
//! | `conversation` | what is said: transcript and silence |
//! | `transcript` | turns, from marks of the RTP socket and words of the engine |
//! | `supervision` | a supervisor listens, and whispers to the agent |
//! | `browser` | a call of somebody in a browser |
//! | `silence` | what to do when nobody speaks |

mod agent;
mod answerer;
mod audio;
mod audio_evidence;
mod barge_in;
mod bridge;
mod bridging;
mod browser;
mod check;
pub mod context;
mod conversation;
mod dead_air;
mod early;
mod ending;
pub mod gate;
mod keys;
mod own_call;
mod persona;
mod protection;
pub mod rates;
mod refer;
mod refused;
pub mod registry;
mod reoffer;
mod replaces;
mod silence;
mod supervision;
mod talk;
mod task;
mod timers;
mod transcript;
mod transfer;
mod withheld;

pub use context::{CallContext, CallLimits, Chosen, Engines};
pub use gate::Gate;
pub use registry::Registry;
