/** Returns pieces as the body of a response. Asks for one when the client takes more, and for no more if it leaves. */
export function pieceStream(pieces: AsyncGenerator<Uint8Array, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => {
        await pieces.return();
      },
    },
    // Nothing is read for a request of method HEAD.
    { highWaterMark: 0 },
  );
}
