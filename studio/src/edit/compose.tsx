import { CaptionInput } from "./captionInput.tsx";
import { PhotoInput } from "./photoInput.tsx";
import { PromptInput } from "./promptInput.tsx";
import { RunBar, submitForm } from "./runBar.tsx";
import { Strength } from "./strength.tsx";

/** The form: photo, prompt, strength. Its other settings are in `Settings`. */
export const Compose = () => (
  <form id="edit" class="compose" aria-label="Edit" noValidate onSubmit={submitForm}>
    <PhotoInput />
    <PromptInput />
    <CaptionInput />
    <Strength />
    <RunBar />
  </form>
);
