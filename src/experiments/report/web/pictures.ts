/** Shows pictures that the page holds once in all their other places. */
export function repeatPictures(): void {
  for (const image of document.querySelectorAll<HTMLImageElement>("img[data-same]")) {
    const first = document.getElementById(image.dataset.same ?? "");
    if (first instanceof HTMLImageElement) image.src = first.src;
  }
}
