//! A server of the Model Context Protocol over Streamable HTTP, as of 2025-11-25 and before: a handshake, a session in a header, a
//! list of tools in pages, answers as JSON or as a stream. It has the manners that such servers have: it is slow, hangs, forgets
//! its sessions and names tools that nobody could use.
//!
//! One request a connection, as [`crate::receiver`] reads it.

use crate::receiver::{self, Received};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Tools on one page of the list.
const PAGE: usize = 2;

/// How the server takes what comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Answers as JSON.
    Json,
    /// Answers as a stream of events, with a message of another kind before the answer.
    Stream,
    /// Takes requests and never answers.
    Hang,
    /// Wants a header that it does not get.
    WhoAreYou,
    /// Answers with a page for people.
    Page,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    tools: Vec<Value>,
    sessions: Vec<String>,
    begun: usize,
    /// Methods that came, in order; of `tools/call` the name of the tool too.
    methods: Vec<String>,
    /// `Authorization` of the last request.
    authorization: Option<String>,
    /// `traceparent` of the uses of tools: of the header, and of the request's `_meta`.
    parents: Vec<[Option<String>; 2]>,
}

/// A running server. Dropping it ends its tasks and closes its port.
#[derive(Debug)]
pub struct McpServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _running: DropGuard,
}

/// A tool as a server describes it.
pub fn tool(name: &str, parameters: Value) -> Value {
    json!({"name": name, "description": format!("The tool {name}."), "inputSchema": parameters})
}

/// `list_events` wants a day; `book` says that it could not; `wait` takes so many milliseconds; `whoami` tells the key that came.
fn usual() -> Vec<Value> {
    let day = json!({"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]});
    let none = json!({"type": "object"});
    let ms = json!({"type": "object", "properties": {"ms": {"type": "integer"}}});
    vec![tool("list_events", day.clone()), tool("book", day), tool("wait", ms), tool("whoami", none)]
}

impl McpServer {
    /// On a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = State {
            manner: Manner::Json,
            tools: usual(),
            sessions: Vec::new(),
            begun: 0,
            methods: Vec::new(),
            authorization: None,
            parents: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (token, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accept = accept(listener, state.clone(), tasks.clone(), token.clone());
        tasks.spawn(token.clone().run_until_cancelled_owned(accept));
        Ok(Self { address, state, _running: token.drop_guard() })
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// In the place of those that it has.
    pub fn offer(&self, tools: Vec<Value>) {
        self.state().tools = tools;
    }

    /// As after a restart: no session is known any more.
    pub fn forget_sessions(&self) {
        self.state().sessions.clear();
    }

    /// Those that are open now.
    pub fn sessions(&self) -> usize {
        self.state().sessions.len()
    }

    /// All that were ever opened.
    pub fn begun(&self) -> usize {
        self.state().begun
    }

    pub fn methods(&self) -> Vec<String> {
        self.state().methods.clone()
    }

    /// `traceparent` of the uses of tools: of the header, and of the request's `_meta`.
    pub fn parents(&self) -> Vec<[Option<String>; 2]> {
        self.state().parents.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, tasks: TaskTracker, token: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(token.clone().run_until_cancelled_owned(talk(stream, state.clone())));
    }
}

async fn talk(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Ok(received) = receiver::read(&mut stream).await else { return };
    let manner = lock(&state).manner.clone();
    let reply = match manner {
        Manner::Hang => std::future::pending().await,
        Manner::WhoAreYou => Reply::of(401, json!({"error": "invalid_token"})).with("WWW-Authenticate", "Bearer"),
        Manner::Page => Reply { status: 200, headers: vec![header("Content-Type", "text/html")], body: "<p>Hello.</p>".into() },
        Manner::Json | Manner::Stream => {
            let message = received.json();
            let reply = lock(&state).take(&received, &message);
            if let Some(ms) = message["params"]["arguments"]["ms"].as_u64() {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            if manner == Manner::Stream { reply.streamed() } else { reply }
        }
    };
    // A client that does not wait is the client's matter.
    let _ = reply.write(&mut stream).await;
}

struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Reply {
    fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn of(status: u16, body: Value) -> Self {
        Self { status, headers: vec![header("Content-Type", "application/json")], body: body.to_string() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push(header(name, value));
        self
    }

    /// A notification, then what there is to say.
    fn streamed(self) -> Self {
        if self.status != 200 || self.body.is_empty() {
            return self;
        }
        let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "at work"}});
        let body = format!("event: message\ndata: {note}\n\nevent: message\ndata: {}\n\n", self.body);
        let mut headers = self.headers;
        headers.retain(|(name, _)| name != "Content-Type");
        headers.push(header("Content-Type", "text/event-stream"));
        Self { status: 200, headers, body }
    }

    async fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        let mut text =
            format!("HTTP/1.1 {} As told\r\nContent-Length: {}\r\nConnection: close\r\n", self.status, self.body.len());
        for (name, value) in self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{text}\r\n{}", self.body).as_bytes()).await?;
        stream.shutdown().await
    }
}

impl State {
    fn take(&mut self, received: &Received, message: &Value) -> Reply {
        self.authorization = received.header("authorization").map(str::to_owned);
        if message["method"] == "tools/call" {
            let own = message["params"]["_meta"]["traceparent"].as_str();
            self.parents.push([received.header("traceparent"), own].map(|value| value.map(str::to_owned)));
        }
        let session = received.header("mcp-session-id").map(str::to_owned);
        match received.line.split(' ').next() {
            Some("POST") => self.posted(session, message),
            Some("DELETE") => {
                self.methods.push("DELETE".to_owned());
                self.sessions.retain(|known| Some(known) != session.as_ref());
                Reply::bare(200)
            }
            _ => Reply::bare(405),
        }
    }

    fn posted(&mut self, session: Option<String>, message: &Value) -> Reply {
        let method = message["method"].as_str().unwrap_or_default();
        let tool = message["params"]["name"].as_str().unwrap_or_default();
        self.methods.push(format!("{method} {tool}").trim_end().to_owned());
        let id = &message["id"];
        let refused = |status, code, text: &str| {
            Reply::of(status, json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}}))
        };
        if method == "initialize" {
            self.begun += 1;
            let session = format!("session-{}", self.begun);
            self.sessions.push(session.clone());
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "lab", "version": "1"}});
            return Reply::of(200, json!({"jsonrpc": "2.0", "id": id, "result": result})).with("Mcp-Session-Id", &session);
        }
        let Some(session) = session else { return refused(400, -32600, "Bad Request: Missing session ID") };
        if !self.sessions.contains(&session) {
            return refused(404, -32600, "Session not found");
        }
        if id.is_null() {
            return Reply::bare(202);
        }
        let result = match method {
            "ping" => json!({}),
            "tools/list" => self.page(message["params"]["cursor"].as_str()),
            "tools/call" => match self.called(tool, &message["params"]["arguments"]) {
                Some(result) => result,
                None => return refused(200, -32602, &format!("Unknown tool: {tool}")),
            },
            _ => return refused(200, -32601, "Method not found"),
        };
        Reply::of(200, json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn page(&self, cursor: Option<&str>) -> Value {
        let from = cursor.and_then(|cursor| cursor.parse::<usize>().ok()).unwrap_or_default();
        let tools: Vec<_> = self.tools.iter().skip(from).take(PAGE).cloned().collect();
        let next = from + PAGE;
        if next < self.tools.len() { json!({"tools": tools, "nextCursor": next.to_string()}) } else { json!({"tools": tools}) }
    }

    fn called(&self, tool: &str, arguments: &Value) -> Option<Value> {
        let text = |text: String| json!([{"type": "text", "text": text}]);
        Some(match tool {
            "list_events" => {
                let events = json!({"day": arguments["day"], "events": ["Dentist at nine"]});
                json!({"content": text(events.to_string()), "structuredContent": events})
            }
            "book" => json!({"content": text("The calendar is full.".to_owned()), "isError": true}),
            "wait" => {
                json!({"content": [{"type": "text", "text": "Waited."}, {"type": "image", "data": "AA==", "mimeType": "image/png"}]})
            }
            "whoami" => json!({"content": text(self.authorization.clone().unwrap_or_default())}),
            _ => return None,
        })
    }
}
