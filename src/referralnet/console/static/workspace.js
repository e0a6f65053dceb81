// Leaving quickly: Escape twice within a second, or the link. The page is blanked at once, the session is ended, and the
// page's place in the history is taken by a harmless one. Without this script the link still leaves.
const leave = document.getElementById("leave");
const ESCAPES_WITHIN_MILLISECONDS = 1000;
let escapedAt = -Infinity;

function leaveNow() {
  const signOut = document.getElementById("sign-out");
  if (signOut) {
    const body = new URLSearchParams(new FormData(signOut));
    fetch(signOut.action, { method: "POST", body, keepalive: true, redirect: "manual" }).catch(() => {});
  }
  const to = leave.href;
  document.title = "";
  document.body.replaceChildren();
  window.location.replace(to);
}

leave.addEventListener("click", (event) => {
  event.preventDefault();
  leaveNow();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.repeat) return;
  if (event.timeStamp - escapedAt < ESCAPES_WITHIN_MILLISECONDS) leaveNow();
  escapedAt = event.timeStamp;
});

// A page that a browser kept whole for its back button is asked for again, so that nothing shows after signing out.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
