// Results are put in place by htmx; this says aloud how many there are now.
document.addEventListener("htmx:after:swap", () => {
  const title = document.getElementById("found-title");
  if (title) document.getElementById("search-status").textContent = title.textContent;
});
