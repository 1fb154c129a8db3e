//! All routes and the layers around them.

use super::{
    ApiState, access_log, ai, analytics, audit, authorize, calls, contacts, costs, dial, do_not_call, doctor, engines, erasures,
    error, events, first_version, guard, headers, health, keys, lines, metrics, openapi, pending, presets, recording, root,
    session, signalling, status, talk, users, versions, webhooks,
};
use axum::{Router, extract::FromRef, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

/// The API, ready to be served.
pub fn router(state: ApiState) -> Router {
    let (names, secure, metrics) = (state.names.clone(), state.secure, state.metrics.clone());
    let porter = authorize::Porter::from_ref(&state);
    let (router, document) = described();
    let router = router
        .merge(pages(document))
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::unknown_method)
        // The last layer is the outermost: a request is logged, its answer gets its headers, it is kept from bringing down its
        // connection, then guarded, and who asks is found out last.
        .layer(middleware::from_fn_with_state(porter, authorize::authorize))
        .layer(middleware::from_fn_with_state(names, guard::guard))
        .layer(CatchPanicLayer::custom(error::after_panic))
        .with_state(state);
    headers::on(router, secure).layer(middleware::from_fn_with_state(metrics, access_log::access_log))
}

/// `/docs` and `/openapi.json`.
fn pages(document: OpenApi) -> Router<ApiState> {
    let pages = Router::from(SwaggerUi::new("/docs").url("/openapi.json", document));
    pages.layer(middleware::map_response(error::page_not_found))
}

/// The routes with their description.
pub fn described() -> (Router<ApiState>, OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(openapi::preamble())
        .routes(routes!(users::create, users::list))
        .routes(routes!(users::show, users::update, users::remove))
        .routes(routes!(versions::list))
        .routes(routes!(versions::show))
        .routes(routes!(contacts::show, contacts::replace))
        .routes(routes!(presets::list))
        .routes(routes!(engines::list))
        .routes(routes!(metrics::metrics))
        .routes(routes!(metrics::latency))
        .routes(routes!(lines::connect))
        .routes(routes!(lines::disconnect))
        .routes(routes!(signalling::line))
        .routes(routes!(doctor::examine, doctor::report))
        .routes(routes!(ai::check))
        .routes(routes!(dial::dial))
        .routes(routes!(pending::list))
        .routes(routes!(pending::cancel))
        .routes(routes!(do_not_call::list, do_not_call::add, do_not_call::remove))
        .routes(routes!(costs::of_user))
        .routes(routes!(erasures::erase, erasures::receipts::list))
        .routes(routes!(erasures::preview::preview))
        .routes(routes!(analytics::of_all))
        .routes(routes!(analytics::of_user))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::show))
        .routes(routes!(webhooks::resend))
        .routes(routes!(webhooks::test))
        .routes(routes!(calls::list))
        .routes(routes!(calls::active))
        .routes(routes!(calls::show))
        .routes(routes!(calls::hang_up))
        .routes(routes!(calls::keys::send))
        .routes(routes!(calls::listen::listen))
        .routes(routes!(calls::hint::hint))
        .routes(routes!(talk::talk))
        .routes(routes!(calls::transfer::begin))
        .routes(routes!(calls::transfer::join))
        .routes(routes!(calls::transfer::cancel))
        .routes(routes!(calls::transcript::transcript))
        .routes(routes!(recording::recording))
        .routes(routes!(signalling::call))
        .routes(routes!(signalling::packets))
        .routes(routes!(events::events))
        .routes(routes!(status::status))
        .routes(routes!(session::show, session::sign_in, session::sign_out))
        .routes(routes!(session::begin))
        .routes(routes!(session::finish))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(root::root))
        .routes(routes!(first_version::call::call))
        .routes(routes!(first_version::conversations::conversations))
        .routes(routes!(first_version::about::stats))
        .routes(routes!(first_version::about::info))
        .routes(routes!(first_version::tools::tools))
        .routes(routes!(first_version::text::sms))
        .routes(routes!(first_version::text::chat))
        .routes(routes!(first_version::text::ai_chat))
        .split_for_parts();
    openapi::complete(&mut document);
    (router, document)
}
