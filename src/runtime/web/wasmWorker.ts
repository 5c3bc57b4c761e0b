/** The program of a Worker that computes with WebAssembly. */
import * as onnxruntime from "onnxruntime-web/wasm";
import { isThreadOfOnnxruntime, serve } from "./serve.ts";

if (!isThreadOfOnnxruntime()) serve(onnxruntime);
