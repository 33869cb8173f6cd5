//! Refusals as answers of HTTP: each kind has one status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidemill_console_core::{Refused, Why};
use tidemill_domain::Code;
use tidemill_domain::spec::Problem;

use crate::api::{ErrorKind, Failure};
use crate::log::LogError;

/// When to ask again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl Failure {
    pub(crate) fn new(error: ErrorKind, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        let what = what.into();
        let code = Code::in_text(&what).map(|code| code.to_string());
        Self { error, code, what, remedy: remedy.into(), problems: Vec::new() }
    }

    pub(crate) fn invalid(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, what, remedy)
    }

    pub(crate) fn unavailable(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, what, remedy)
    }

    pub(crate) fn problems(problems: Vec<Problem>) -> Self {
        let what = match problems.len() {
            1 => format!("{} there is a mistake in the loop file", Code::LoopFile),
            n => format!("{} there are {n} mistakes in the loop file", Code::LoopFile),
        };
        Self { problems, ..Self::invalid(what, "mend it and send it again") }
    }

    fn status(&self) -> StatusCode {
        match self.error {
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        if self.error == ErrorKind::Unavailable {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let kind = match refused.why {
            Why::Conflict => ErrorKind::Conflict,
            Why::Invalid => ErrorKind::Invalid,
            Why::NotFound => ErrorKind::NotFound,
        };
        Self::new(kind, refused.what, refused.remedy)
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Standby => {
                let remedy = "ask again in a moment, or ask the replica that is active";
                let code = Code::ConsoleStandby;
                Self::unavailable(
                    format!(
                        "{code} this console may not write: it is starting, or another replica is active"
                    ),
                    remedy,
                )
            }
            LogError::Unknown(why) => {
                let remedy =
                    "look whether it is there, and send it again if not; the same twice does no harm";
                Self::unavailable(
                    format!(
                        "{} the log did not say in time whether it has the event: {why}",
                        Code::WriteUnknown
                    ),
                    remedy,
                )
            }
            LogError::Refused(why) => {
                let remedy = "see the log of the console; it is a matter of permissions, sizes or a defect";
                Self::new(
                    ErrorKind::Internal,
                    format!("{} the log does not take the event: {why}", Code::WriteRefused),
                    remedy,
                )
            }
        }
    }
}
