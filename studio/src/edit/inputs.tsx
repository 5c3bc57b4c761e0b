/** The form: photo, prompt, method and options. */
export const Inputs = () => <form class="inputs" aria-label="Edit" />;
