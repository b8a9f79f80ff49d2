//! From a generated trait to a handler: the same steps for every RPC.

/// Implements a generated service trait for an API that has a field `foundation`: each RPC reads its [`Scope`], calls the
/// handler named after `by`, and translates its error. Types of streams stand in brackets before the RPCs.
///
/// ```ignore
/// countersign_service::rpcs! {
///     PolicyApi as wire::policy_service_server::PolicyService {
///         evaluate_sign_in(wire::EvaluateSignInRequest) -> wire::EvaluateSignInResponse
///             = "EvaluateSignIn" by handle_evaluate;
///     }
/// }
/// ```
///
/// [`Scope`]: crate::Scope
#[macro_export]
macro_rules! rpcs {
    ($api:ty as $service:path $([$(type $stream:ident = $of:ty;)+])? {
        $($rpc:ident($request:ty) -> $response:ty = $method:literal by $handler:ident;)+
    }) => {
        #[tonic::async_trait]
        impl $service for $api {
            $($(type $stream = $of;)+)?

            $(async fn $rpc(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<$response>, tonic::Status> {
                let answer = async {
                    let scope = $crate::Scope::of(&request, $method, &self.foundation)?;
                    self.$handler(&scope, request.into_inner()).await
                };
                answer
                    .await
                    .map(tonic::Response::new)
                    .map_err(|error: $crate::ApiError| $crate::to_status(&error))
            })+
        }
    };
}
