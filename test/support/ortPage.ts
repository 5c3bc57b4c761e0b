import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { Tensor } from "../../src/core/index.ts";
import { fedShape, type Program } from "../../src/graph/index.ts";
import { chromiumPath, ownGpu } from "./needs.ts";
import { filesIn, servePages } from "./pageServer.ts";
import type { Feeds } from "./run.ts";

const dist = fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist", import.meta.url));

/** Runs programs of one device. */
const script = (device: "wasm" | "webgpu") => `
  import * as ort from "/ort.webgpu.min.mjs";
  ort.env.wasm.wasmPaths = "/";
  ort.env.wasm.numThreads = 1;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const text = (data) => btoa(Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), (b) => String.fromCharCode(b)).join(""));
  window.adapter = async () => {
    const found = await navigator.gpu?.requestAdapter();
    return found && [found.info.vendor, found.info.architecture].filter(Boolean).join(" ");
  };
  window.compute = async (model, feeds) => {
    const session = await ort.InferenceSession.create(bytes(model), {
      executionProviders: ["${device}"],
      extra: { session: { ${device === "webgpu" ? 'disable_cpu_ep_fallback: "1"' : ""} } },
    });
    const given = feeds.map(({ name, dtype, shape, data }) => {
      const { buffer } = bytes(data);
      return [name, new ort.Tensor(dtype, dtype === "int64" ? new BigInt64Array(buffer) : new Float32Array(buffer), shape)];
    });
    const results = await session.run(Object.fromEntries(given));
    const found = await Promise.all(Object.entries(results).map(async ([name, x]) => [name, { shape: x.dims, data: text(await x.getData()) }]));
    await session.release();
    return Object.fromEntries(found);
  };
  window.ready = true;
`;

const base64 = (data: ArrayBufferView): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");

/** onnxruntime-web in a page of Chromium. */
export interface OrtPage {
  /** The graphics card that the browser offers. Undefined if there is none. */
  readonly adapter: string | undefined;
  run(program: Program, feeds: Feeds): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}

/** Opens a page that runs programs by onnxruntime-web: on WebAssembly, or on WebGPU without a fallback. */
export async function openOrtPage(device: "wasm" | "webgpu"): Promise<OrtPage> {
  const page = `<!doctype html><meta charset="utf-8"><title>onnxruntime</title><script type="module">${script(device)}</script>`;
  const files = filesIn(dist);
  const server = await servePages((path) => (path === "/index.html" ? page : files(path)), { isolated: () => true });
  const software = ownGpu ? [] : ["--use-webgpu-adapter=swiftshader"];
  const graphics = ["--enable-unsafe-webgpu", "--enable-features=Vulkan,WebGPU", ...software];
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-quic", "--no-first-run", ...(device === "webgpu" ? graphics : ["--disable-gpu"])],
  });
  const tab = await browser.newPage();
  await tab.goto(`${server.origin}/`);
  await tab.waitForFunction("window.ready");
  // Without the page's stack, whose addresses Vitest takes for files.
  const call = (expression: string): Promise<unknown> =>
    tab.evaluate(expression).catch((error) => {
      throw new Error((error as Error).message);
    });
  return {
    adapter: ((await call("window.adapter()")) as string | null) ?? undefined,
    run: async ({ model, inputs }, feeds) => {
      const given = inputs.map(({ name, dtype, shape }) => {
        const { data, shape: fed } = feeds[name];
        const values = data instanceof Float32Array ? data : BigInt64Array.from(data, BigInt);
        return { name, dtype, shape: fedShape({ shape: shape.length === 0 ? [] : fed, dtype }), data: base64(values) };
      });
      const results = (await call(
        `window.compute(${JSON.stringify(base64(model))}, ${JSON.stringify(given)})`,
      )) as Record<string, { shape: number[]; data: string }>;
      return Object.fromEntries(
        Object.entries(results).map(([name, { shape, data }]) => {
          const bytes = new Uint8Array(Buffer.from(data, "base64"));
          return [name, { shape, data: new Float32Array(bytes.buffer) }];
        }),
      );
    },
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}
