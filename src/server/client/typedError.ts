import {
  BaretError,
  CancelledError,
  CheckpointError,
  DeviceError,
  EngineError,
  ImageError,
  MemoryError,
  NumericError,
  StorageError,
  UsageError,
} from "../../core/index.ts";
import {
  BodyTypeError,
  BusyError,
  ConflictError,
  NotFoundError,
  NotReadyError,
  RequestError,
  RequestTimeError,
  TooLargeError,
} from "../errors.ts";
import { type ClientOptions, ServerClient } from "./client.ts";
import { type Failure, unreachable } from "./failure.ts";

/** A server does not answer, refuses the token, or failed in a way that has no class of its own here. */
export class ServerError extends BaretError {
  readonly code: string;

  constructor(code: string, message: string, advice?: string) {
    super(message, { advice });
    this.code = code;
  }
}

const classes: Readonly<Record<string, new (message: string) => BaretError>> = {
  usage: UsageError,
  image: ImageError,
  checkpoint: CheckpointError,
  memory: MemoryError,
  device: DeviceError,
  engine: EngineError,
  numeric: NumericError,
  storage: StorageError,
  not_found: NotFoundError,
  conflict: ConflictError,
  not_ready: NotReadyError,
  too_large: TooLargeError,
  unsupported_media_type: BodyTypeError,
  timeout: RequestTimeError,
};

const TOKEN_ADVICE =
  "It is behind # in the address that baret serve printed: give that whole address, or the token by itself (variable BARET_TOKEN).";

/** Returns the error that the library would have thrown here. Its message is the server's: it has the details already. */
export function typedError({ code, message, problems, retryAfter }: Failure): BaretError {
  if (code === "busy") return new BusyError(message, { retryAfter: retryAfter ?? 5 });
  if (code === "cancelled") return new CancelledError("the job");
  if (code === "usage" && problems) return new RequestError(problems);
  if (code === unreachable) {
    return new ServerError(code, message, "Start it with npx baret serve, or check its address. Its queue is kept.");
  }
  if (code === "invalid_token") return new ServerError(code, "the server needs its token", TOKEN_ADVICE);
  if (/^http_4/.test(code)) return new ServerError(code, message, "Give the address that baret serve printed.");
  return Object.hasOwn(classes, code) ? new classes[code](message) : new ServerError(code, message);
}

export type ConnectOptions = Pick<ClientOptions, "token" | "patienceMs" | "isPatient" | "onLost">;

/**
 * Returns a client of the server at a URL. The URL may have the token, as `baret serve` prints it. Its errors are those of the
 * library, or ServerError. Throws UsageError if it is no URL.
 */
export function connect(url: string, options: ConnectOptions = {}): ServerClient {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new UsageError("the address of a server", { found: url, expected: "a URL, such as http://127.0.0.1:7878" });
  }
  if (parsed.username || parsed.password) {
    throw new UsageError("the address of a server has a user or a password", {
      where: parsed.host,
      expected: `${parsed.protocol}//${parsed.host}`,
      advice: "Give the token by itself.",
    });
  }
  const [, printed] = /^#token=(.+)$/.exec(parsed.hash) ?? [];
  parsed.hash = "";
  return new ServerClient(parsed.href, { ...options, token: options.token ?? printed, errorOf: typedError });
}
