// Loads the front end. A module of its own, because the page's policy allows no script inside it.
import init from "./callbox-ui.js";

init({ module_or_path: new URL("callbox-ui_bg.wasm", import.meta.url) }).catch((error) => {
  const splash = document.getElementById("splash");
  if (splash) splash.dataset.failed = "true";
  console.error("The front end did not start:", error);
});
