// Asks one question, with nothing but the published protos.
//
//   node build/ask.js HOST:PORT CA_FILE TOKEN_FILE PURPOSE "SELECT ..." [PARAMETER...]
//
// Prints one JSON object: the answer with its 95 % half-widths, or the refusal with its reason.
// Exits 0 for an answer, 3 for a refusal, 4 where nobody can answer now.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Gateway, QueryRequestSchema, type QueryResponse } from "./gen/landbridge/v1/gateway_pb.js";
import { ProblemSchema } from "./gen/landbridge/v1/problem_pb.js";
import { LiteralSchema, type Literal } from "./gen/landbridge/v1/question_pb.js";

const DAY_MS = 86_400_000;

/** A literal as JSON: text, number, boolean, or the ISO form of a date or a moment. */
function plain(literal: Literal | undefined): string | number | boolean | null {
  if (literal === undefined) {
    return null;
  }
  switch (literal.kind.case) {
    case undefined:
      return null;
    case "integer":
      return Number(literal.kind.value);
    case "date":
      return new Date(literal.kind.value * DAY_MS).toISOString().slice(0, 10);
    case "timestamp":
      return new Date(Number(literal.kind.value / 1000n)).toISOString();
    default:
      return literal.kind.value;
  }
}

/** A parameter for a place (?) of the text: a whole number where it looks like one, else text. */
function parameter(text: string): Literal {
  return /^-?\d{1,18}$/.test(text)
    ? create(LiteralSchema, { kind: { case: "integer", value: BigInt(text) } })
    : create(LiteralSchema, { kind: { case: "text", value: text } });
}

function shown(response: QueryResponse) {
  return {
    columns: response.columns.map((column) => column.name),
    rows: response.rows.map((row) => row.values.map((cell) => plain(cell.value))),
    halfWidths: response.rows.map((row) => row.values.map((cell) => cell.halfWidth ?? null)),
    departments: response.departments,
    missing: response.missing,
    epsilon: response.cost?.epsilon ?? 0,
    notes: response.notes.map((note) => `${note.kind}: ${note.text}`),
    logged: response.receipt !== undefined,
  };
}

const [address, caFile, tokenFile, purpose, sql, ...parameters] = process.argv.slice(2);
if (!address || !caFile || !tokenFile || purpose === undefined || !sql) {
  console.error('usage: ask HOST:PORT CA_FILE TOKEN_FILE PURPOSE "SELECT ..." [PARAMETER...]');
  process.exit(2);
}
const transport = createGrpcTransport({
  baseUrl: `https://${address}`,
  nodeOptions: { ca: readFileSync(caFile) },
});
const request = create(QueryRequestSchema, {
  sql,
  purpose,
  // 16 random bytes, drawn once per question: the same id sent again is the same question.
  questionId: randomBytes(16).toString("hex"),
  parameters: parameters.map(parameter),
});
const headers = { authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };
try {
  const response = await createClient(Gateway, transport).query(request, {
    headers,
    timeoutMs: 30_000,
  });
  console.log(JSON.stringify(shown(response)));
} catch (failure) {
  const error = ConnectError.from(failure);
  const problem = error.findDetails(ProblemSchema)[0];
  const reason = problem?.reason ?? (error.code === Code.Unavailable ? "GATEWAY_UNREACHABLE" : "FAULT");
  const place = problem?.position;
  console.log(
    JSON.stringify({
      reason,
      message: problem?.message ?? "The gateway gave no reason.",
      rule: problem?.rule ?? "",
      hint: problem?.hint ?? "",
      position: place ? `line ${place.line}, column ${place.column}` : "",
    }),
  );
  process.exitCode = error.code === Code.Unavailable || error.code === Code.DeadlineExceeded ? 4 : 3;
}
