// A page that stays open asks every few seconds whether it still tells how things stand. What has changed is put in its
// place and said aloud; where somebody writes, nothing is touched. Without this script the page is loaded again by hand.
const EVERY_MILLISECONDS = 4000;
const live = document.getElementById("live");
let mark = live ? live.dataset.mark : "";
let asking = false;

function isWrittenIn(part) {
  if (part.contains(document.activeElement) && document.activeElement !== document.body) return true;
  return [...part.querySelectorAll("input, textarea, select")].some((field) => {
    if (field.type === "hidden") return false;
    if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.tagName === "SELECT") return [...field.options].some((one) => one.selected !== one.defaultSelected);
    return field.value !== field.defaultValue;
  });
}

// Each form has a key of its own that is another on each page.
function bare(part) {
  return part.innerHTML.replace(/name="intention" value="[^"]*"/g, "");
}

function putInPlace(page) {
  let left = false;
  const arrived = new Map([...page.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));
  for (const part of document.querySelectorAll("[data-live]")) {
    const news = arrived.get(part.dataset.live);
    if (!news || bare(news) === bare(part)) continue;
    if (isWrittenIn(part)) left = true;
    else {
      const open = new Set([...part.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
      part.replaceChildren(...news.childNodes);
      for (const one of part.querySelectorAll("summary")) if (open.has(one.textContent)) one.parentElement.open = true;
    }
  }
  return left;
}

async function ask() {
  if (asking || document.hidden || !document.getElementById("live")) return;
  asking = true;
  try {
    const answer = await fetch(`${live.dataset.now}?seen=${mark}`, { cache: "no-store", redirect: "error" });
    if (answer.status === 403) return void document.dispatchEvent(new Event("workspace:over"));
    if (answer.status !== 200) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    mark = page.getElementById("live").dataset.mark;
    const said = document.getElementById("live-said");
    const status = page.querySelector("[data-live=head] .status");
    const sentence = status ? `${said.dataset.changed} ${status.textContent}` : said.dataset.changed;
    document.getElementById("live-stale").hidden = !putInPlace(page);
    said.textContent = sentence;
  } catch {
    // The line is down for a moment: it is asked again.
  } finally {
    asking = false;
  }
}

if (live) {
  setInterval(ask, EVERY_MILLISECONDS);
  document.addEventListener("visibilitychange", ask);
}
