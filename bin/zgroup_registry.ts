#!/usr/bin/env node
import "./prepare.ts";
await import("../registry.ts");
