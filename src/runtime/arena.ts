const unit = 256;
const firstRegion = 1 << 20;
const largestGrowth = 2 ** 30;
/** A free chunk of less than twice the requested size is used whole, unless that wastes this many bytes. */
const mostWaste = 128 * 2 ** 20;

interface Chunk {
  region: number;
  offset: number;
  size: number;
  free: boolean;
  before: Chunk | undefined;
  after: Chunk | undefined;
}

/**
 * Simulates the size of onnxruntime's arena for a CPU. An allocation takes the smallest free chunk that fits and splits it
 * if much is left. A freed chunk is joined with its free neighbours. Regions double in size.
 * onnxruntime/core/framework/bfc_arena.cc.
 */
export class Arena {
  private growth = firstRegion;
  private readonly free = new Set<Chunk>();
  private readonly touched: number[] = [];

  /** Bytes that were ever part of an allocation. The system provides memory for them, and for no other bytes. */
  get peak(): number {
    return this.touched.reduce((sum, bytes) => sum + bytes, 0);
  }

  allocate(bytes: number): Chunk {
    const size = Math.ceil(bytes / unit) * unit;
    const chunk = this.smallest(size) ?? this.extend(size);
    this.free.delete(chunk);
    chunk.free = false;
    if (chunk.size >= 2 * size || chunk.size - size >= mostWaste) this.split(chunk, size);
    // The rest of a chunk that is longer than requested stays untouched.
    this.touched[chunk.region] = Math.max(this.touched[chunk.region], chunk.offset + size);
    return chunk;
  }

  release(chunk: Chunk): void {
    chunk.free = true;
    let whole = chunk;
    if (chunk.after?.free) this.join(chunk, chunk.after);
    if (chunk.before?.free) {
      whole = chunk.before;
      this.join(whole, chunk);
    }
    this.free.add(whole);
  }

  private smallest(size: number): Chunk | undefined {
    let best: Chunk | undefined;
    for (const chunk of this.free) {
      if (chunk.size < size) continue;
      const smaller = !best || chunk.size < best.size;
      const earlier = best && chunk.size === best.size && chunk.region <= best.region && chunk.offset < best.offset;
      if (smaller || earlier) best = chunk;
    }
    return best;
  }

  private extend(size: number): Chunk {
    let grew = false;
    while (size > this.growth) {
      this.growth *= 2;
      grew = true;
    }
    const chunk = {
      region: this.touched.length,
      offset: 0,
      size: this.growth,
      free: true,
      before: undefined,
      after: undefined,
    };
    if (!grew) this.growth *= 2;
    this.growth = Math.min(this.growth, Math.max(largestGrowth, size));
    this.touched.push(0);
    return chunk;
  }

  private split(chunk: Chunk, size: number): void {
    const { region, offset, after } = chunk;
    const rest = { region, offset: offset + size, size: chunk.size - size, free: true, before: chunk, after };
    if (after) after.before = rest;
    chunk.after = rest;
    chunk.size = size;
    this.free.add(rest);
  }

  /** Joins `chunk` and the chunk after it. */
  private join(chunk: Chunk, next: Chunk): void {
    this.free.delete(next);
    chunk.size += next.size;
    chunk.after = next.after;
    if (next.after) next.after.before = chunk;
  }
}
