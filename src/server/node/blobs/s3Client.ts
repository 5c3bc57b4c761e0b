import { setTimeout as sleep } from "node:timers/promises";
import { AwsV4Signer } from "aws4fetch";
import { cut, StorageError, UsageError } from "../../../core/index.ts";

/** A bucket of an S3-compatible store, with what opens it. */
export interface Bucket {
  /** URL of the bucket, in path style. */
  readonly url: string;
  /** The beginning of every key. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^?#]*))?$/;

/** Tells if a place of blobs is in an S3-compatible store. */
export const isS3 = (place: string): boolean => place.startsWith("s3://");

/**
 * Reads "s3://BUCKET/PREFIX" and the usual environment variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION, AWS_ENDPOINT_URL_S3. Throws UsageError.
 */
export function bucketOf(place: string, env: Environment = process.env): Bucket {
  const [, bucket, path = ""] = PLACE.exec(place) ?? [];
  if (bucket === undefined) {
    throw new UsageError("not a place in an S3-compatible store", {
      found: place,
      expected: "s3://BUCKET/PREFIX, with 3 to 63 lower-case letters, digits, dots and hyphens in BUCKET",
    });
  }
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env;
  if (!accessKeyId || !secretAccessKey) {
    throw new UsageError("the keys of the store are missing", {
      where: place,
      expected: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
    });
  }
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || "us-east-1";
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`;
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new UsageError("not the URL of a store", {
      where: "AWS_ENDPOINT_URL_S3",
      found: endpoint,
      expected: "http or https",
    });
  }
  return {
    url: `${endpoint.replace(/\/+$/, "")}/${bucket}`,
    prefix: path === "" || path.endsWith("/") ? path : `${path}/`,
    region,
    accessKeyId,
    secretAccessKey,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  };
}

/** A request to a bucket. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Absent: the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Header Range of a GET: "bytes=0-7". */
  readonly range?: string;
  /** The body, made anew for each attempt. */
  readonly body?: () => Uint8Array<ArrayBuffer> | ReadableStream;
  /** Of the body. */
  readonly bytes?: number;
  readonly sha256?: string;
}

/** SHA-256 of no bytes. */
const NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** Pauses between attempts in milliseconds. */
const PAUSES = [100, 400, 1500, 5000];

const isTemporary = (status: number): boolean => status === 429 || status >= 500;

/**
 * Sends a request, and again if the store cannot be reached or is overloaded. Returns an answer of status 200 to 299, or undefined
 * if there is no such key. Throws StorageError.
 */
export async function send(bucket: Bucket, request: S3Request): Promise<Response | undefined> {
  for (let attempt = 0; ; attempt++) {
    const isLast = attempt === PAUSES.length;
    try {
      const response = await attemptOnce(bucket, request);
      if (response.ok) return response;
      if (response.status === 404 && request.key !== undefined) return undefined;
      if (isLast || !isTemporary(response.status)) throw await refusal(bucket, response);
      await response.body?.cancel();
    } catch (cause) {
      if (cause instanceof StorageError) throw cause;
      if (isLast) throw unreachable(bucket, cause);
    }
    await sleep(PAUSES[attempt]);
  }
}

async function attemptOnce(bucket: Bucket, request: S3Request): Promise<Response> {
  const { method, key, query, range, body, bytes, sha256 } = request;
  const url = new URL(key === undefined ? bucket.url : `${bucket.url}/${bucket.prefix}${key}`);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  const headers: Record<string, string> = { "x-amz-content-sha256": sha256 ?? NOTHING };
  const signed = await new AwsV4Signer({ ...bucket, service: "s3", method, url: url.href, headers }).sign();
  if (range !== undefined) signed.headers.set("range", range);
  if (bytes !== undefined) signed.headers.set("content-length", `${bytes}`);
  const made = body?.();
  const stream = made instanceof ReadableStream ? { duplex: "half" as const } : {};
  return fetch(signed.url, { method, headers: signed.headers, body: made, redirect: "error", ...stream });
}

export const unreachable = ({ url }: Bucket, cause: unknown): StorageError => {
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new StorageError("the store of blobs cannot be reached", {
    where: url,
    found: reason instanceof Error ? reason.message : String(reason),
    advice: "Check AWS_ENDPOINT_URL_S3 and the network.",
    cause,
  });
};

async function refusal(bucket: Bucket, response: Response): Promise<StorageError> {
  const text = await response.text().catch(() => "");
  return refusalOf(bucket, response.status, text);
}

/** Returns the error of an answer in which the store refuses. text: its XML. */
export function refusalOf({ url }: Bucket, status: number, text: string): StorageError {
  const advice =
    status === 403
      ? "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and the rights of the key."
      : status === 404
        ? "Make the bucket first."
        : undefined;
  return new StorageError("the store of blobs refuses", {
    where: url,
    found: cut([status, field(text, "Code"), field(text, "Message")].filter(Boolean).join(" ")),
    advice,
  });
}

/** Returns the text of an element of an answer. Those that are read here have no elements inside. */
export const field = (xml: string, name: string): string =>
  (new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
