import { useAgentChat } from "@cloudflare/ai-chat/react";
import { useAgentChat as useThinkChat } from "@cloudflare/think/react";
import { useAgent, useAgentToolEvents } from "agents/react";
import React from "react";
import { create } from "react-test-renderer";
import WebSocket from "ws";
import { run } from "../client.mjs";

run({ React, render: create, useAgent, useAgentToolEvents, useAgentChat, useThinkChat, WebSocket });
