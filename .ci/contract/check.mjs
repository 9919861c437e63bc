// Holds what the simulated sender makes against what the real sender publishes: its own zod schema of every webhook,
// and its own check of a signature. Run by `go test -tags contract ./web/sim -run Contract`.
//
//   node check.mjs DIR
//
// DIR/payloads/*.json       bodies that must pass the schema
// DIR/test-events/*.json    bodies that the sender itself sends beside its schema: meta.whenGenerated instead of when
// DIR/signatures.json       [{key, body (base64), signature}] made by Go, which the SDK must accept
// DIR/node-signatures.json  written here: the same made by node, which Go must accept
// DIR/examples/*.json       written here: the example payloads of the published packages, which Go must read

import { createHmac } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const webhooks = require("@metriport/shared/medical/webhook/webhook-request");
const { MetriportMedicalApi } = require("@metriport/api-sdk");

const dir = process.argv[2];
if (!dir) {
  console.error("usage: node check.mjs DIR");
  process.exit(2);
}
let failures = 0;
const fail = (...words) => {
  failures++;
  if (failures <= 20) console.log("FAIL", ...words);
};
const files = (name) => readdirSync(join(dir, name)).filter((f) => f.endsWith(".json")).sort();

// The types that the schema knows, asked of the schema itself: every literal of every member's meta.type.
function literals(schema) {
  const def = schema._def;
  switch (def.typeName) {
    case "ZodLiteral":
      return [def.value];
    case "ZodEnum":
      return def.values;
    case "ZodNativeEnum":
      return Object.values(def.values);
    case "ZodUnion":
      return def.options.flatMap(literals);
    default:
      throw new Error(`meta.type is a ${def.typeName}: teach check.mjs to read it`);
  }
}
const members = webhooks.webhookRequestSchema._def.options;
const memberOf = new Map();
for (const member of members) {
  for (const type of literals(member.shape.meta.shape.type)) memberOf.set(type, member);
}

// The schema wants both times of a stay, but the sender's own API takes notices without them and sends them on.
const absentTime = (issue) =>
  issue.message === "Required" && issue.path[0] === "payload" && ["admitTimestamp", "dischargeTimestamp"].includes(issue.path[1]);

function checkPayloads() {
  let untimed = 0;
  const counts = new Map();
  const unknown = new Map();
  for (const file of files("payloads")) {
    const body = JSON.parse(readFileSync(join(dir, "payloads", file), "utf8"));
    const type = body.meta?.type;
    if (!memberOf.has(type)) {
      unknown.set(type, (unknown.get(type) ?? 0) + 1);
      // Its envelope is still the sender's.
      const meta = webhooks.webhookMetadataSchema.safeParse(body.meta);
      if (!meta.success) fail(file, "meta:", JSON.stringify(meta.error.issues));
      continue;
    }
    const count = counts.get(type) ?? { ok: 0, failed: 0 };
    counts.set(type, count);
    // The union, as receivers use it, and the one member of the type, so that no other member covers up a mistake.
    const whole = webhooks.webhookRequestSchema.safeParse(body);
    const own = memberOf.get(type).safeParse(body);
    if (whole.success && own.success) {
      count.ok++;
    } else if (own.error && own.error.issues.every(absentTime)) {
      untimed++;
    } else {
      count.failed++;
      fail(file, type, JSON.stringify((own.error ?? whole.error).issues));
    }
  }
  console.log("payloads, by type: ok / failed");
  for (const [type, c] of [...counts].sort()) console.log(`  ${type}: ${c.ok} / ${c.failed}`);
  console.log(`notices without a time, known deviation by the sender: ${untimed}`);
  if (untimed === 0) fail("no notice without a time");
  console.log("types that the schema does not know (envelope checked only):");
  for (const [type, n] of [...unknown].sort()) console.log(`  ${type}: ${n}`);
  const missing = [...memberOf.keys()].filter((type) => !counts.has(type));
  if (missing.length > 0) fail("no payload of a type that the schema knows:", missing.join(", "));
}

// The dashboard's test events differ from the schema in one known way. With `when` in its place they must pass.
function checkTestEvents() {
  let n = 0;
  for (const file of files("test-events")) {
    const body = JSON.parse(readFileSync(join(dir, "test-events", file), "utf8"));
    if (webhooks.webhookRequestSchema.safeParse(body).success) fail(file, "passes: the deviation is gone, update the simulation");
    const { whenGenerated, ...meta } = body.meta;
    const mended = memberOf.get(meta.type).safeParse({ ...body, meta: { ...meta, when: whenGenerated } });
    if (!mended.success) fail(file, JSON.stringify(mended.error.issues));
    n++;
  }
  console.log(`test events, known deviation by the sender (whenGenerated instead of when): ${n}`);
  if (n === 0) fail("no test events");
}

function flipped(signature, at) {
  const digit = (parseInt(signature[at], 16) ^ 1).toString(16);
  return signature.slice(0, at) + digit + signature.slice(at + 1);
}

function checkSignatures() {
  const ours = JSON.parse(readFileSync(join(dir, "signatures.json"), "utf8"));
  const theirs = [];
  for (const [i, { key, body, signature }] of ours.entries()) {
    const raw = Buffer.from(body, "base64");
    const verify = (b, s) => MetriportMedicalApi.verifyWebhookSignature(key, b, s);
    if (!verify(raw, signature)) fail(`signature ${i}: the SDK refuses ours over the bytes`);
    if (!verify(raw.toString(), signature)) fail(`signature ${i}: the SDK refuses ours over the string`);
    if (verify(raw, flipped(signature, i % 64))) fail(`signature ${i}: the SDK accepts one with a flipped bit`);
    const other = Buffer.from(raw);
    other[i % other.length] ^= 1;
    if (verify(other, signature)) fail(`signature ${i}: the SDK accepts it for another body`);

    const made = createHmac("sha256", key).update(raw).digest("hex");
    if (!verify(raw, made)) fail(`signature ${i}: the SDK refuses node's`);
    theirs.push({ key, body, signature: made });
  }
  writeFileSync(join(dir, "node-signatures.json"), JSON.stringify(theirs));
  console.log(`signatures: ${ours.length} checked, ${theirs.length} made`);
  if (ours.length === 0) fail("no signatures");
}

// The packages ship their own tests; the payloads that those accept are the sender's examples. Run them with a
// stand-in for the test runner and keep what passes a schema.
function collectExamples() {
  const home = dirname(require.resolve("@metriport/shared/medical/webhook/webhook-request"));
  let tests = [];
  try {
    tests = readdirSync(join(home, "__tests__")).filter((f) => f.endsWith(".test.js"));
  } catch {
    // a version without tests has no examples
  }
  const found = [];
  const real = new Map();
  for (const [name, schema] of Object.entries(webhooks)) {
    if (!name.endsWith("RequestSchema") || typeof schema.parse !== "function") continue;
    real.set(schema, schema.parse);
    schema.parse = (value) => {
      const parsed = real.get(schema)(value);
      found.push(value);
      return parsed;
    };
  }
  const agreeable = new Proxy(() => agreeable, { get: () => agreeable });
  globalThis.describe = globalThis.it = globalThis.test = (_, run) => run();
  globalThis.expect = (value) => {
    try {
      if (typeof value === "function") value();
    } catch {
      // an example of what must be refused
    }
    return agreeable;
  };
  for (const test of tests) require(join(home, "__tests__", test));
  for (const [schema, parse] of real) schema.parse = parse;

  mkdirSync(join(dir, "examples"), { recursive: true });
  const distinct = [...new Set(found.map((e) => JSON.stringify(e)))];
  for (const [i, example] of distinct.entries()) writeFileSync(join(dir, "examples", `${i}.json`), example);
  console.log(`example payloads in the published packages: ${distinct.length}`);
}

checkPayloads();
checkTestEvents();
checkSignatures();
collectExamples();
console.log(failures === 0 ? "contract kept" : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
