//! Which tools the agent of one call has.

use super::mcp::{Catalogue, Gathering};
use super::{Keypad, contacts::LookupContact, http::WebTool, keys::SendDtmf};
use crate::outside::GuardedClient;
use crate::telemetry::TraceParent;
use callie_ai::tools::{
    Tool, Toolbox,
    calculate::Calculate,
    current_time::CurrentTime,
    end_call::EndCall,
    take_message::TakeMessage,
    transfer::{CompleteTransfer, TransferCall},
};
use callie_domain::User;
use callie_domain::user::BuiltIn;
use callie_store::ContactStore;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Makes the tools of calls. Cheap to clone.
#[derive(Clone)]
pub struct ToolShop {
    client: GuardedClient,
    contacts: Arc<dyn ContactStore>,
    servers: Catalogue,
}

/// The tools of a call, and why it has not all that its user's document names.
pub struct Tools {
    pub toolbox: Toolbox,
    /// Those of servers, which may take a moment.
    pub later: Option<Gathering>,
    pub complaints: Vec<String>,
}

impl ToolShop {
    pub fn new(client: GuardedClient, contacts: Arc<dyn ContactStore>, servers: Catalogue) -> Self {
        Self { client, contacts, servers }
    }

    /// What can be had at once, and the rest.
    /// `trace`: of the call, which those who are asked are told.
    pub fn tools(&self, user: &User, keypad: Keypad, trace: Option<TraceParent>) -> Tools {
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        for built_in in user.tools.enabled() {
            self.build(*built_in, user, &keypad, &mut tools);
        }
        let mut complaints = Vec::new();
        for settings in &user.tools.http {
            match WebTool::new(settings, self.client.clone()) {
                Ok(tool) => tools.push(Arc::new(tool.traced(trace))),
                Err(fault) => complaints.push(format!("the tool {} cannot be used: its parameters {fault}", settings.name)),
            }
        }
        Tools { toolbox: Toolbox::new(tools), later: self.servers.gather(user, trace), complaints }
    }

    fn build(&self, built_in: BuiltIn, user: &User, keypad: &Keypad, tools: &mut Vec<Arc<dyn Tool>>) {
        match built_in {
            BuiltIn::EndCall => tools.push(Arc::new(EndCall)),
            BuiltIn::TransferCall => {
                let targets: Vec<String> = user.routing.transfer_targets.iter().map(|target| target.name.clone()).collect();
                if !targets.is_empty() {
                    tools.push(Arc::new(TransferCall::new(&targets)));
                    tools.push(Arc::new(CompleteTransfer));
                }
            }
            BuiltIn::CurrentTime => {
                let zone = user.ai.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
                tools.push(Arc::new(CurrentTime::at_home_in(zone.unwrap_or_else(TimeZone::system))));
            }
            BuiltIn::Calculate => tools.push(Arc::new(Calculate)),
            BuiltIn::TakeMessage => tools.push(Arc::new(TakeMessage)),
            BuiltIn::LookupContact => tools.push(Arc::new(LookupContact::new(self.contacts.clone(), user.id.clone()))),
            BuiltIn::SendDtmf => tools.push(Arc::new(SendDtmf::new(keypad.clone(), user.tools.keys.clone()))),
        }
    }
}
