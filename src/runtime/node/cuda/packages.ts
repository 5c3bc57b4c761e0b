import type { Wheel } from "../../../storage/node/index.ts";

/** A Python package whose wheel has libraries that onnxruntime needs for CUDA. */
export interface CudaPackage extends Wheel {
  /** Bytes of its libraries after unpacking. */
  readonly unpacked: number;
}

/** The version of onnxruntime-node that these wheels fit. The tests hold it to the installed one. */
export const packagesFitVersion = "1.30.0";

/** NVIDIA's oldest driver for CUDA 13, as its release notes say. */
export const oldestDriver = 580;

/** The processors of NVIDIA GPUs that the provider has kernels for ("sm_75" in its library is compute capability 7.5). */
export const oldestCapability = 7.5;

export const nvidiaLicence =
  "NVIDIA's licences (LicenseRef-NVIDIA-Proprietary: the CUDA Toolkit's and the cuDNN SDK's)";

/** Names of the files to take from each package's wheel, besides its licence. */
export const libraries: Readonly<Record<string, RegExp>> = {
  "onnxruntime-gpu": /^libonnxruntime_providers_(cuda|shared)\.so$/,
  "nvidia-cuda-runtime": /^libcudart\.so\.13$/,
  "nvidia-curand": /^libcurand\.so\.10$/,
  "nvidia-cuda-nvrtc": /^libnvrtc(-builtins)?\.so\.[\d.]+$/,
  "nvidia-cublas": /^libcublas(Lt)?\.so\.13$/,
  "nvidia-cudnn-cu13": /^libcudnn\w*\.so\.9$/,
};

/**
 * The wheels for each processor. onnxruntime-gpu has the CUDA provider of exactly this onnxruntime: the one of Python 3.11, but
 * its libraries do not depend on Python. cuFFT and TensorRT are left out: the provider does not name them, or no graph of
 * baret's needs them. Sizes and checksums are PyPI's of 2026-11-28.
 */
export const cudaPackages: Readonly<Partial<Record<string, readonly CudaPackage[]>>> = {
  x64: [
    {
      package: "onnxruntime-gpu",
      file: "onnxruntime_gpu-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl",
      bytes: 246_658_419,
      sha256: "4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa",
      unpacked: 272_064_536,
    },
    {
      package: "nvidia-cuda-runtime",
      file: "nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
      bytes: 2_504_024,
      sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
      unpacked: 806_720,
    },
    {
      package: "nvidia-curand",
      file: "nvidia_curand-10.4.5.25-py3-none-manylinux_2_27_x86_64.whl",
      bytes: 77_113_015,
      sha256: "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529",
      unpacked: 104_860_296,
    },
    {
      package: "nvidia-cuda-nvrtc",
      file: "nvidia_cuda_nvrtc-13.5.37-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
      bytes: 58_185_930,
      sha256: "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc",
      unpacked: 148_431_960,
    },
    {
      package: "nvidia-cublas",
      file: "nvidia_cublas-13.10.0.20-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
      bytes: 444_289_903,
      sha256: "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84",
      unpacked: 608_935_360,
    },
    {
      package: "nvidia-cudnn-cu13",
      file: "nvidia_cudnn_cu13-9.28.1.4-py3-none-manylinux_2_27_x86_64.whl",
      bytes: 516_817_937,
      sha256: "a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec",
      unpacked: 940_113_128,
    },
  ],
  arm64: [
    {
      package: "onnxruntime-gpu",
      file: "onnxruntime_gpu-1.30.0-cp311-cp311-manylinux_2_34_aarch64.whl",
      bytes: 205_734_826,
      sha256: "6c70b83afd6bfcc34b4b58d6a41f8c439c96811bbb7fe9fb1d2c2c9dd9c881b5",
      unpacked: 228_880_280,
    },
    {
      package: "nvidia-cuda-runtime",
      file: "nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
      bytes: 2_520_010,
      sha256: "de2dc5a7367974228b0a69588a9acc9340d3768bef1bf38bf0801eb08497cd2d",
      unpacked: 802_096,
    },
    {
      package: "nvidia-curand",
      file: "nvidia_curand-10.4.5.25-py3-none-manylinux_2_27_aarch64.whl",
      bytes: 77_529_633,
      sha256: "07c75d8ba14b627d1a01d2c1bfa1eece88f25d564d3aae7e6b6fb44f7bbec9c1",
      unpacked: 105_384_928,
    },
    {
      package: "nvidia-cuda-nvrtc",
      file: "nvidia_cuda_nvrtc-13.5.37-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
      bytes: 56_419_462,
      sha256: "36e4fa2a8ada293f5693d308e531c196ab6f91cf7a0ff479bf96a537d43a6096",
      unpacked: 136_905_872,
    },
    {
      package: "nvidia-cublas",
      file: "nvidia_cublas-13.10.0.20-py3-none-manylinux2014_aarch64.manylinux_2_17_aarch64.whl",
      bytes: 560_089_875,
      sha256: "c5f3418c0a845232a8cabc58f6fa52cfae7d8bd3680d94c3907aca710fd48d70",
      unpacked: 725_792_984,
    },
    {
      package: "nvidia-cudnn-cu13",
      file: "nvidia_cudnn_cu13-9.28.1.4-py3-none-manylinux_2_27_aarch64.whl",
      bytes: 597_008_823,
      sha256: "759b6a4919951ed8ec603dec97b96f6a6396c8269b95b3d345526e2471fb433d",
      unpacked: 1_024_139_776,
    },
  ],
};
