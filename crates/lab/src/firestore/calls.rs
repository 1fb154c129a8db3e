//! From an HTTP/2 request to the call it means. The routing is by hand over the generated messages: no protoc, no stubs.

use super::rpc::Rpc;
use super::state::State;
use super::{listen, reading, writing};
use futures::stream;
use gcloud_sdk::google::firestore::v1::{ListenRequest, WriteRequest};
use hyper::body::Incoming;
use prost::Message;
use std::sync::Arc;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// What Firestore allows one request.
const REQUEST_LIMIT_BYTES: usize = 10 * 1024 * 1024;

type HttpRequest = http::Request<Incoming>;
type HttpResponse = http::Response<Body>;

/// Counts the call, lets the faults act, carries it out.
pub(super) async fn answer(state: Arc<State>, request: HttpRequest) -> HttpResponse {
    let Some(rpc) = Rpc::of_path(request.uri().path()) else {
        return Status::unimplemented(format!("{} is not part of this server", request.uri().path())).into_http();
    };
    state.counts.count(rpc);
    let plan = *state.plan();
    if !plan.latency.is_zero() {
        tokio::time::sleep(plan.latency).await;
    }
    let refusal = state.plan().refusal;
    if let Some(refusal) = refusal {
        return refusal.status(&database_of(&request)).into_http();
    }
    match rpc {
        Rpc::GetDocument => unary(state, request, reading::get_document).await,
        Rpc::ListDocuments => unary(state, request, reading::list_documents).await,
        Rpc::ListCollectionIds => unary(state, request, reading::list_collection_ids).await,
        Rpc::BatchGetDocuments => many(state, request, reading::batch_get).await,
        Rpc::RunQuery => many(state, request, reading::run_query).await,
        Rpc::RunAggregationQuery => many(state, request, reading::run_aggregation).await,
        Rpc::CreateDocument => unary(state, request, writing::create_document).await,
        Rpc::UpdateDocument => unary(state, request, writing::update_document).await,
        Rpc::DeleteDocument => unary(state, request, writing::delete_document).await,
        Rpc::Commit => unary(state, request, writing::commit).await,
        Rpc::BatchWrite => unary(state, request, writing::batch_write).await,
        Rpc::BeginTransaction => unary(state, request, writing::begin_transaction).await,
        Rpc::Rollback => unary(state, request, writing::rollback).await,
        Rpc::Write => write(state, request).await,
        Rpc::Listen => listen(state, request).await,
    }
}

/// `projects/P/databases/D`, which every client of Google's names in a header.
fn database_of(request: &HttpRequest) -> String {
    let header = request.headers().get("google-cloud-resource-prefix").and_then(|value| value.to_str().ok());
    header.unwrap_or_default().to_owned()
}

fn grpc<Asked, Answered>() -> Grpc<ProstCodec<Answered, Asked>>
where
    Asked: Message + Default + Send + 'static,
    Answered: Message + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(REQUEST_LIMIT_BYTES)
}

async fn unary<Asked, Answered>(
    state: Arc<State>,
    request: HttpRequest,
    call: fn(&State, Asked) -> Result<Answered, Status>,
) -> HttpResponse
where
    Asked: Message + Default + Send + 'static,
    Answered: Message + Send + 'static,
{
    let service = service_fn(move |request: Request<Asked>| {
        let state = Arc::clone(&state);
        async move { call(&state, request.into_inner()).map(Response::new) }
    });
    grpc().unary(service, request).await
}

async fn many<Asked, Answered>(
    state: Arc<State>,
    request: HttpRequest,
    call: fn(&State, Asked) -> Result<Vec<Answered>, Status>,
) -> HttpResponse
where
    Asked: Message + Default + Send + 'static,
    Answered: Message + Send + 'static,
{
    let service = service_fn(move |request: Request<Asked>| {
        let state = Arc::clone(&state);
        async move {
            let answers = call(&state, request.into_inner())?;
            Ok::<_, Status>(Response::new(stream::iter(answers.into_iter().map(Ok::<_, Status>))))
        }
    });
    grpc().server_streaming(service, request).await
}

async fn write(state: Arc<State>, request: HttpRequest) -> HttpResponse {
    let service = service_fn(move |request: Request<Streaming<WriteRequest>>| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Status>(Response::new(writing::write_stream(state, request.into_inner()))) }
    });
    grpc().streaming(service, request).await
}

async fn listen(state: Arc<State>, request: HttpRequest) -> HttpResponse {
    let database = database_of(&request);
    let service = service_fn(move |request: Request<Streaming<ListenRequest>>| {
        let (state, database) = (Arc::clone(&state), database.clone());
        async move { Ok::<_, Status>(Response::new(Box::pin(listen::open(state, database, request.into_inner())))) }
    });
    grpc().streaming(service, request).await
}
