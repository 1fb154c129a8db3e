//! `/`: where to go from here.

use super::engines::{self, EngineDocument};
use super::state::ServerInfo;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// The server and its doors.
#[derive(Debug, Serialize, ToSchema)]
pub struct Root {
    #[schema(example = "callie")]
    pub name: &'static str,
    pub version: &'static str,
    #[schema(example = "/docs")]
    pub docs: &'static str,
    #[schema(example = "/openapi.json")]
    pub openapi: &'static str,
    #[schema(example = "/users")]
    pub users: &'static str,
    #[schema(example = "/admin/status")]
    pub status: &'static str,
    /// The conversation engines that a user may ask for.
    pub engines: Vec<EngineDocument>,
}

/// Names the server and where to find more.
#[utoipa::path(get, path = "/", operation_id = "get_root", tag = "server", responses((status = 200, body = Root)))]
pub async fn root(State(info): State<ServerInfo>) -> Json<Root> {
    Json(Root {
        name: "callie",
        version: info.version,
        docs: "/docs",
        openapi: "/openapi.json",
        users: "/users",
        status: "/admin/status",
        engines: engines::documents(&info),
    })
}
