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

/** Returns the error that the library would have thrown here. Its message is the server's: it has the details already. */
export function typedError({ code, message, problems, retryAfter }: Failure): BaretError {
  if (code === "busy") return new BusyError(message, { retryAfter: retryAfter ?? 5 });
  if (code === "cancelled") return new CancelledError("the job");
  if (code === "usage" && problems) return new RequestError(problems);
  if (code === unreachable) {
    return new ServerError(code, message, "Start it with npx baret serve, or check its address. Its queue is kept.");
  }
  return Object.hasOwn(classes, code) ? new classes[code](message) : new ServerError(code, message);
}

export type ConnectOptions = Pick<ClientOptions, "token" | "patienceMs" | "isPatient" | "onLost">;

/** Returns a client of the server at a URL. Its errors are those of the library, or ServerError. Throws UsageError if it is no URL. */
export function connect(url: string, options: ConnectOptions = {}): ServerClient {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError("the address of a server", { found: url, expected: "a URL, such as http://127.0.0.1:7878" });
  }
  return new ServerClient(url, { ...options, errorOf: typedError });
}
