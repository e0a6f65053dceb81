// The workbench: what it asks goes out as a form of this page's own, so that the API runs it as whoever is signed in.

const place = document.getElementById("graphiql");

async function ask({ query, variables, operationName }) {
  const body = new URLSearchParams({
    form_token: place.dataset.formToken,
    query,
    variables: JSON.stringify(variables || {}),
    operationName: operationName || "",
  });
  const answer = await fetch("/graphiql", { method: "POST", body, redirect: "manual" });
  if (!answer.ok) return { errors: [{ message: "Your session is over. Sign in again, and load this page." }] };
  return answer.json();
}

// In the page's memory alone: a browser that several people use keeps nothing of what was asked.
const kept = new Map();
const storage = {
  get length() {
    return kept.size;
  },
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
  clear: () => kept.clear(),
};

ReactDOM.createRoot(place).render(
  React.createElement(GraphiQL, {
    fetcher: ask,
    storage,
    forcedTheme: "light",
    query: place.dataset.query,
    variables: place.dataset.variables,
    defaultEditorToolsVisibility: "variables",
    isHeadersEditorEnabled: false,
  }),
);

// Its editors have no names for whoever does not see them: each gets that of the part it stands in.
function nameEditors() {
  for (const editor of place.querySelectorAll(".CodeMirror textarea:not([aria-label])")) {
    const named = editor.closest("[aria-label]");
    if (named) editor.setAttribute("aria-label", named.getAttribute("aria-label"));
  }
}
new MutationObserver(nameEditors).observe(place, { childList: true, subtree: true });
