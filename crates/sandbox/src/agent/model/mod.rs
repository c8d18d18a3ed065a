//! Who answers: a script, or a model behind an OpenAI-compatible endpoint.

mod answers;
mod openai;
mod scripted;

use futures_util::{StreamExt, stream, stream::BoxStream};
use serde_json::Value;

use crate::{Model, SandboxError};

/// What a model says in one step, in pieces.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Saying {
    TextStart,
    Text(String),
    TextEnd,
    CallStart {
        id: String,
        name: String,
    },
    CallText {
        id: String,
        text: String,
    },
    /// A whole call. The input is what the pieces were, parsed; `Err` if they are not JSON.
    Call {
        id: String,
        name: String,
        input: Result<Value, String>,
    },
}

/// Why a model stopped in the middle; the text is shown to the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct ModelError(pub(super) String);

/// A model, ready to answer.
#[derive(Debug)]
pub(super) enum Brain {
    Scripted,
    OpenAi(openai::Endpoint),
}

impl Brain {
    pub(super) fn open(model: &Model) -> Result<Self, SandboxError> {
        match model {
            Model::Scripted => Ok(Self::Scripted),
            Model::OpenAi(config) => openai::Endpoint::open(config.clone()).map(Self::OpenAi),
        }
    }

    /// Whether its pieces come at the sandbox's own pace.
    pub(super) fn is_paced(&self) -> bool {
        matches!(self, Self::Scripted)
    }

    /// One step: the answer to the conversation so far, up to the end or to the tool calls that have to run first. `clients`: the tools that
    /// run at the client.
    pub(super) fn step(&self, messages: Vec<Value>, clients: Vec<Value>) -> BoxStream<'_, Result<Saying, ModelError>> {
        match self {
            Self::Scripted => stream::iter(scripted::step(&messages, &clients).into_iter().map(Ok)).boxed(),
            Self::OpenAi(endpoint) => endpoint.step(messages, clients),
        }
    }
}
