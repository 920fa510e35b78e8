// Reads a QR code from a picture or the camera: with the browser's own reader
// where it has one, else with ours.
import { Refusal } from "./base.js";
import { h, notice } from "./dom.js";
import { explained } from "./form.js";
import { readCode } from "./qr.js";
import { t } from "./words.js";

const maxFile = 32 << 20; // bytes
const sizes = [1000, 1800, 500]; // widths and heights, in pixels, at which a picture is looked at
const lookEvery = 250; // milliseconds between two looks through the camera

// The text of a QR code in a picture. A Refusal: there is none.
export async function textOf(blob) {
  if (blob.size > maxFile) {
    throw new Refusal("scan.large");
  }
  let picture;
  try {
    picture = await createImageBitmap(blob);
  } catch (cause) {
    throw new Refusal("scan.picture", {}, cause);
  }
  try {
    const text = await native(picture) ?? sizes.reduce((found, size) => found ?? readCode(pixels(picture, picture.width, picture.height, size)), null);
    if (text === null) {
      throw new Refusal("scan.none");
    }
    return text;
  } finally {
    picture.close();
  }
}

async function native(source) {
  if (!globalThis.BarcodeDetector) {
    return null;
  }
  try {
    const [found] = await new BarcodeDetector({ formats: ["qr_code"] }).detect(source);
    return found?.rawValue || null;
  } catch {
    return null; // there is one in name only
  }
}

function pixels(source, width, height, most) {
  const scale = Math.min(1, most / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Buttons for a picture and for the camera; taken gets the text, and may refuse it.
export function reader(title, taken) {
  const said = h("div", {});
  const stage = h("div", {});
  const give = async (find) => {
    said.replaceChildren();
    try {
      await taken(await find());
    } catch (refusal) {
      said.replaceChildren(notice("warning", explained(refusal)));
    }
  };
  const file = h("input", { type: "file", accept: "image/*", class: "unseen", onchange: () => {
    const [picture] = file.files;
    file.value = "";
    if (picture) {
      give(() => textOf(picture));
    }
  } });
  const camera = navigator.mediaDevices?.getUserMedia
    ? h("button", { type: "button", onclick: () => give(() => look(stage)) }, t("scan.camera")) : null;
  return h("section", { class: "reader" }, h("h2", {}, title), said, stage,
    h("div", { class: "buttons" }, h("label", { class: "button" }, t("scan.file"), file), camera));
}

// Looks through the camera until a code is seen or somebody stops it.
async function look(stage) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (cause) {
    throw new Refusal("scan.denied", {}, cause);
  }
  const video = h("video", { playsinline: true, class: "camera", "aria-label": t("scan.camera") });
  let stopped = false;
  stage.replaceChildren(video, h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => { stopped = true; } }, t("scan.stop"))));
  video.srcObject = stream;
  try {
    await video.play();
    while (!stopped && stage.isConnected) {
      const text = await native(video) ?? readCode(pixels(video, video.videoWidth, video.videoHeight, 700));
      if (text !== null) {
        return text;
      }
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
    throw new Refusal("scan.stopped");
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    stage.replaceChildren();
  }
}
