// Leaving quickly, and not being read by whoever sits down next. Without this script the link still leaves, and a page
// that nobody uses still goes away.

const ESCAPES_WITHIN_MILLISECONDS = 1000;
const SECOND = 1000;
const leave = document.getElementById("leave");
const channel = new BroadcastChannel("workspace");

function endSession(fields) {
  const signOut = document.getElementById("sign-out");
  if (!signOut) return;
  const body = new URLSearchParams([...new FormData(signOut), ...fields]);
  fetch(signOut.action, { method: "POST", body, keepalive: true, redirect: "manual" }).catch(() => {});
}

// Escape twice within a second, or the link: the page is blanked at once, the session is ended, and the page's place in
// the history is taken by a harmless one.
function leaveNow() {
  endSession([["leaving", "1"]]);
  channel.postMessage("ended");
  const to = leave.href;
  document.title = "";
  document.body.replaceChildren();
  window.location.replace(to);
}

leave.addEventListener("click", (event) => {
  event.preventDefault();
  leaveNow();
});

let escapedAt = -Infinity;
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.repeat) return;
  if (event.timeStamp - escapedAt < ESCAPES_WITHIN_MILLISECONDS) leaveNow();
  escapedAt = event.timeStamp;
});

// A page that a browser kept whole for its back button is asked for again, so that nothing shows after signing out.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

// A page that nobody uses locks itself a minute before the session is over, and says so a minute earlier. All windows of
// this browser count as one. While somebody types on a page for long, the server is told once a minute.
const idleSeconds = Number(document.body.dataset.idleSeconds || 0);
if (idleSeconds) watch(idleSeconds);

function watch(idle) {
  const warning = document.getElementById("idle-warning");
  const lockAfter = (idle - Math.min(60, idle / 4)) * SECOND;
  const warnAfter = lockAfter - Math.min(60, idle / 4) * SECOND;
  let usedAt = Date.now();
  let toldAt = Date.now();
  let locked = false;

  function lock() {
    if (locked) return;
    locked = true;
    const screen = document.getElementById("lock-screen").content.cloneNode(true);
    document.body.replaceChildren(screen);
    document.getElementById("page").focus();
  }

  function look() {
    const now = Date.now();
    if (now - usedAt >= lockAfter) {
      if (!locked) endSession([]);
      channel.postMessage("ended");
      lock();
    } else if (now - usedAt >= warnAfter) {
      if (!warning.open) warning.showModal();
    } else if (usedAt > toldAt && now - toldAt >= 60 * SECOND) {
      toldAt = now;
      fetch("/still-here", { cache: "no-store", redirect: "manual" })
        .then((answer) => answer.status === 204 || lock())
        .catch(() => {});
    }
  }

  function use() {
    const now = Date.now();
    // A machine that slept wakes by a key: that key must not open what was to be locked.
    if (locked || now - usedAt >= lockAfter) return;
    if (now - usedAt > 5 * SECOND) channel.postMessage("used");
    usedAt = now;
    if (warning.open) warning.close();
  }

  // The server has said that the session is over, or no longer what it was.
  document.addEventListener("workspace:over", lock);
  channel.addEventListener("message", ({ data }) => {
    if (data === "ended") lock();
    else {
      usedAt = Date.now();
      if (warning.open) warning.close();
    }
  });
  for (const kind of ["keydown", "pointerdown", "wheel", "input"]) {
    document.addEventListener(kind, use, { capture: true, passive: true });
  }
  document.addEventListener("visibilitychange", look);
  setInterval(look, SECOND);
}
