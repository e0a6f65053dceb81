// A form that would change something first makes sure that we can be reached. If not, it stays as it is, says so, and can be
// sent again: what was typed is kept in the page and nowhere else. Without this script the form is simply sent.

const REACHED_WITHIN_MILLISECONDS = 8000;
const asking = new WeakSet();
const reached = new WeakSet();

async function isAway() {
  try {
    await fetch("/still-here", {
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(REACHED_WITHIN_MILLISECONDS),
    });
    return false;
  } catch {
    return true;
  }
}

function tell(form) {
  const said = document.getElementById("not-sent").content.cloneNode(true);
  form.append(said);
  form.lastElementChild.focus();
}

function takeBack(form) {
  for (const said of form.querySelectorAll(".not-sent")) said.remove();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  // A field may be called "method", so that form.method would be that field.
  const changes = form.getAttribute("method") === "post" && form.querySelector("input[name=intention]");
  if (!changes || reached.has(form)) return;
  event.preventDefault();
  if (asking.has(form)) return;
  asking.add(form);
  takeBack(form);
  const away = await isAway();
  asking.delete(form);
  if (away) {
    tell(form);
    return;
  }
  reached.add(form);
  form.requestSubmit(event.submitter);
  reached.delete(form);
});
