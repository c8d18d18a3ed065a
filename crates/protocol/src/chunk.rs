//! [`Chunk`]: one step in the making of a message (notes 4.3), the `body` of a response frame.
//! The union of what AI SDK 5, 6 and 7 write.

use serde_json::Value;

use crate::lazy::Json;
use crate::wire::{wire_enum, wire_struct};

wire_enum! {
    /// One step in the making of a message.
    quick Chunk with Data = "data-" {
        /// A message begins.
        Start = "start",
        /// A message ends.
        Finish = "finish",
        /// Metadata come in.
        MessageMetadata = "message-metadata",
        /// The model is called.
        StartStep = "start-step",
        /// The model has answered.
        FinishStep = "finish-step",
        /// The step begins again.
        ResetStep = "reset-step",
        /// A text begins.
        TextStart = "text-start",
        /// A text grows.
        TextDelta = "text-delta",
        /// A text ends.
        TextEnd = "text-end",
        /// A reasoning begins.
        ReasoningStart = "reasoning-start",
        /// A reasoning grows.
        ReasoningDelta = "reasoning-delta",
        /// A reasoning ends.
        ReasoningEnd = "reasoning-end",
        /// The model begins to write arguments.
        ToolInputStart = "tool-input-start",
        /// The arguments grow.
        ToolInputDelta = "tool-input-delta",
        /// The arguments are complete.
        ToolInputAvailable = "tool-input-available",
        /// The arguments are wrong.
        ToolInputError = "tool-input-error",
        /// The user is asked.
        ToolApprovalRequest = "tool-approval-request",
        /// The question was answered.
        ToolApprovalResponse = "tool-approval-response",
        /// The tool has a result.
        ToolOutputAvailable = "tool-output-available",
        /// The tool has failed.
        ToolOutputError = "tool-output-error",
        /// The tool was denied.
        ToolOutputDenied = "tool-output-denied",
        /// A page that the answer draws on.
        SourceUrl = "source-url",
        /// A document that the answer draws on.
        SourceDocument = "source-document",
        /// A file.
        File = "file",
        /// A file that the model made on the way.
        ReasoningFile = "reasoning-file",
        /// Something of the provider's own.
        Custom = "custom",
        /// A message of the user that was put into the running turn.
        SteeringMessage = "steering-message",
        /// The turn has failed.
        ErrorChunk = "error",
        /// The turn was stopped.
        Abort = "abort",
    }
}

wire_struct! {
    /// A message begins.
    Start {
        /// Its id; absent in continuations and from the oldest agents.
        message_id: String, optional = "messageId";
        /// Merged into the message's metadata.
        message_metadata: Value, optional = "messageMetadata";
    }
}

wire_struct! {
    /// A message ends.
    Finish {
        /// On this protocol only `{"finishReason": …}`, which the agent does not store.
        message_metadata: Value, optional = "messageMetadata";
    }
}

wire_struct! {
    /// Metadata come in.
    MessageMetadata {
        /// Merged into the message's metadata.
        message_metadata: Value = "messageMetadata";
    }
}

wire_struct! {
    /// The model is called.
    StartStep {}
}

wire_struct! {
    /// The model has answered.
    FinishStep {}
}

wire_struct! {
    /// The step begins again; what it wrote is void.
    ResetStep {}
}

wire_struct! {
    /// A text begins.
    TextStart {
        /// The text, within the message.
        id: String, optional = "id";
    }
}

wire_struct! {
    /// A text grows.
    TextDelta {
        /// The text, within the message.
        id: String, optional = "id";
        /// What comes after the text so far.
        delta: String = "delta";
    }
}

wire_struct! {
    /// A text ends.
    TextEnd {
        /// The text, within the message.
        id: String, optional = "id";
    }
}

wire_struct! {
    /// A reasoning begins.
    ReasoningStart {
        /// The reasoning, within the message.
        id: String, optional = "id";
    }
}

wire_struct! {
    /// A reasoning grows.
    ReasoningDelta {
        /// The reasoning, within the message.
        id: String, optional = "id";
        /// What comes after the text so far.
        delta: String = "delta";
    }
}

wire_struct! {
    /// A reasoning ends.
    ReasoningEnd {
        /// The reasoning, within the message.
        id: String, optional = "id";
    }
}

wire_struct! {
    /// The model begins to write arguments.
    ToolInputStart {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// The tool.
        tool_name: String = "toolName";
        /// A tool that was not declared in code.
        dynamic: bool, optional = "dynamic";
        /// The model's provider runs it.
        provider_executed: bool, optional = "providerExecuted";
        /// A title to show.
        title: String, optional = "title";
        /// `text`: the arguments are one string and no JSON.
        input_encoding: String, optional = "inputEncoding";
        /// Becomes `callProviderMetadata`.
        provider_metadata: Value, optional = "providerMetadata";
    }
}

wire_struct! {
    /// The arguments grow.
    ToolInputDelta {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// What comes after the text so far.
        input_text_delta: String = "inputTextDelta";
    }
}

wire_struct! {
    /// The arguments are complete.
    ToolInputAvailable {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// The tool.
        tool_name: String = "toolName";
        /// The arguments.
        input: Value, optional = "input";
        /// A tool that was not declared in code.
        dynamic: bool, optional = "dynamic";
        /// The model's provider runs it.
        provider_executed: bool, optional = "providerExecuted";
        /// A title to show.
        title: String, optional = "title";
        /// Becomes `callProviderMetadata`.
        provider_metadata: Value, optional = "providerMetadata";
    }
}

wire_struct! {
    /// The arguments are wrong.
    ToolInputError {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// The tool.
        tool_name: String = "toolName";
        /// The arguments as the model wrote them.
        input: Value, optional = "input";
        /// Why; untrusted.
        error_text: String = "errorText";
        /// A tool that was not declared in code.
        dynamic: bool, optional = "dynamic";
        /// The model's provider runs it.
        provider_executed: bool, optional = "providerExecuted";
        /// A title to show.
        title: String, optional = "title";
        /// Becomes `callProviderMetadata`.
        provider_metadata: Value, optional = "providerMetadata";
    }
}

wire_struct! {
    /// The user is asked.
    ToolApprovalRequest {
        /// The question.
        approval_id: String = "approvalId";
        /// The call.
        tool_call_id: String = "toolCallId";
        /// What granting would cover; stored as `descriptor`.
        approval_descriptor: Value, optional = "approvalDescriptor";
    }
}

wire_struct! {
    /// The question was answered.
    ToolApprovalResponse {
        /// The question.
        approval_id: String = "approvalId";
        /// The answer.
        approved: bool = "approved";
        /// Why.
        reason: String, optional = "reason";
    }
}

wire_struct! {
    /// The tool has a result.
    ToolOutputAvailable {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// Any JSON.
        output: Json, optional = "output";
        /// Another will replace it.
        preliminary: bool, optional = "preliminary";
        /// The model's provider ran it.
        provider_executed: bool, optional = "providerExecuted";
    }
}

wire_struct! {
    /// The tool has failed.
    ToolOutputError {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// Why; untrusted.
        error_text: String = "errorText";
        /// The model's provider ran it.
        provider_executed: bool, optional = "providerExecuted";
    }
}

wire_struct! {
    /// The tool was denied.
    ToolOutputDenied {
        /// The call.
        tool_call_id: String = "toolCallId";
    }
}

wire_struct! {
    /// The turn has failed. Most agents send an error frame instead.
    ErrorChunk {
        /// Why; untrusted.
        error_text: String, optional = "errorText";
    }
}

wire_struct! {
    /// The turn was stopped.
    Abort {
        /// Why.
        reason: String, optional = "reason";
    }
}

wire_struct! {
    /// A page that the answer draws on; becomes a part as it is.
    SourceUrl {
        /// The model's id for the source.
        source_id: String = "sourceId";
        /// The address; untrusted.
        url: String = "url";
        /// A title to show; untrusted.
        title: String, optional = "title";
        /// Kept with the part.
        provider_metadata: Value, optional = "providerMetadata";
    }
}

wire_struct! {
    /// A document that the answer draws on; becomes a part as it is.
    SourceDocument {
        /// The model's id for the source.
        source_id: String = "sourceId";
        /// The media type.
        media_type: String = "mediaType";
        /// A title to show; untrusted.
        title: String, optional = "title";
        /// A name to show; untrusted.
        filename: String, optional = "filename";
        /// Kept with the part.
        provider_metadata: Value, optional = "providerMetadata";
    }
}

wire_struct! {
    /// A file; becomes a part without what the provider attached.
    File {
        /// The media type.
        media_type: String = "mediaType";
        /// `http(s):` or `data:`; untrusted.
        url: String = "url";
    }
}

wire_struct! {
    /// A file that the model made on the way (AI SDK 7). The agent stores none.
    ReasoningFile {
        /// The media type.
        media_type: String = "mediaType";
        /// `http(s):` or `data:`; untrusted.
        url: String = "url";
    }
}

wire_struct! {
    /// Something of the provider's own (AI SDK 7). The agent stores none.
    Custom {
        /// `provider.type`.
        what: String = "kind";
    }
}

wire_struct! {
    /// A message of the user that was put into the running turn (AI SDK 7). The agent stores none.
    SteeringMessage {
        /// The message.
        id: String = "id";
        /// Its texts and files.
        parts: Vec<Value> = "parts";
    }
}

wire_struct! {
    /// Data of the application; becomes a part unless it is transient.
    Data of kind {
        /// Any JSON.
        data: Json, optional = "data";
        /// Not part of the message, only for who is there now.
        transient: bool, optional = "transient";
    }
}
