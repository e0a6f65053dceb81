// New texts and codes appear by themselves, as on a real phone. What is being written is left alone.
const EVERY_MILLISECONDS = 2000;

function partsOf(page) {
  return [...page.querySelectorAll("[data-live]")].filter((part) => part.dataset.live !== "phones");
}

function toTheEnd() {
  for (const texts of document.querySelectorAll(".texts")) texts.scrollTop = texts.scrollHeight;
}

async function lookAgain() {
  if (document.hidden) return;
  const answer = await fetch("/phone", { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const shown = new Map(partsOf(document).map((part) => [part.dataset.live, part]));
  const arrived = partsOf(page);
  if (arrived.some((part) => !shown.has(part.dataset.live))) {
    window.location.reload();
    return;
  }
  for (const part of arrived) {
    const old = shown.get(part.dataset.live);
    if (old.innerHTML !== part.innerHTML) {
      old.replaceChildren(...part.childNodes);
      if (old.classList.contains("texts")) toTheEnd();
    }
  }
}

toTheEnd();
setInterval(() => lookAgain().catch(() => {}), EVERY_MILLISECONDS);
