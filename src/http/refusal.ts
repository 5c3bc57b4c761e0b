/** An error as every server of this package answers it, in the shape of OpenAI's API. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The field that is wrong, if one is. */
    readonly param: string | null;
    readonly code: string;
  };
}

const types: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
};

/** Returns the type of error that a status stands for. */
export const errorType = (status: number): string =>
  types[status] ?? (status >= 500 ? "server_error" : "invalid_request_error");

export interface RefusalOptions {
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** More fields of the error. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Makes the answer to a request that is refused. */
export function refusal(
  status: number,
  message: string,
  code = "refused",
  { param, headers, more }: RefusalOptions = {},
): Response {
  const body: ErrorBody = { error: { message, type: errorType(status), param: param ?? null, code, ...more } };
  return Response.json(body, { status, headers });
}
