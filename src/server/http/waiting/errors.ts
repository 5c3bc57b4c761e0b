import { BaretError, type ErrorCategory, ImageError } from "../../../core/index.ts";
import { refusal } from "../../../http/index.ts";
import type { BlobId, Job, JobError } from "../../api/index.ts";
import { type FieldProblem, RequestError } from "../../errors.ts";
import type { Service } from "../../service.ts";
import { errorAnswer, later } from "../errorAnswer.ts";

/** Fields of a request that a worker may find wrong, since it has the photo and the model's files. */
const fields: readonly string[] = ["size", "source", "target"];

/** A job failed. The message and the code are the job's. */
export class JobFailedError extends BaretError {
  readonly code: string;
  override readonly category: ErrorCategory;
  /** The field of the server's own request that the worker found wrong, if it is one. */
  readonly field: string | undefined;

  constructor({ code, message, where, advice }: JobError) {
    super(message, { advice: advice !== undefined && !message.includes(advice) ? advice : undefined });
    this.code = code;
    this.category = code === "usage" || code === "image" ? "usage" : "failure";
    this.field = code === "usage" && where !== undefined && fields.includes(where) ? where : undefined;
  }
}

/** Somebody cancelled a job that a client waits for. */
export class JobCancelledError extends BaretError {
  readonly code = "cancelled";
  override readonly category: ErrorCategory = "cancelled";

  constructor() {
    super("the edit was cancelled");
  }
}

/** Throws JobFailedError or JobCancelledError unless a job is done. */
export function requireDone({ state, error }: Job): void {
  if (state === "cancelled") throw new JobCancelledError();
  if (state === "done") return;
  throw new JobFailedError(error ?? { code: "unexpected", message: `the edit is ${state}` });
}

/** Renames the wrong fields of an error to what they are called in another API. nameOf: a field of the server's own request. */
export function renamed(error: unknown, nameOf: (field: string) => string): unknown {
  if (!(error instanceof RequestError)) return error;
  const problems = error.problems.map(({ field, message }): FieldProblem => {
    const name = nameOf(field);
    return {
      field: name,
      message: message.startsWith(field) ? `${name}${message.slice(field.length)}` : `${name}: ${message}`,
    };
  });
  return new RequestError(problems, { cause: error });
}

/** Stores a photo and returns its id. Throws RequestError that names the field if it is no picture or too large. */
export async function storePhoto(
  service: Pick<Service, "addPhoto">,
  bytes: Uint8Array,
  field: string,
): Promise<BlobId> {
  try {
    return (await service.addPhoto(bytes)).id;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new RequestError([{ field, message: `${field}: ${error.message}` }], { cause: error });
  }
}

/** Tells OpenAI's clients not to send the request again: it would run the same job. */
const headers = { "X-Should-Retry": "false" };

/** Returns the status of a job's error. Too little memory is an overload, of this machine with this request. */
const statusOfJob = ({ code, category }: JobFailedError): number =>
  category === "usage" ? 400 : code === "memory" ? 503 : 500;

/** Answers with an error, also with the one that ended a job. nameOf: what a field of the server's own request is called here. */
export function waitingErrorAnswer(
  error: unknown,
  onFault: (error: unknown) => void,
  nameOf: (field: string) => string,
): Response {
  if (error instanceof JobCancelledError) return refusal(409, error.message, error.code, { headers });
  if (error instanceof JobFailedError) {
    const status = statusOfJob(error);
    return refusal(status, error.message, error.code, {
      headers: { ...headers, ...(status === 503 && later) },
      ...(error.field !== undefined && { param: nameOf(error.field) }),
    });
  }
  return errorAnswer(error, onFault);
}
