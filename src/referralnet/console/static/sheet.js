// With a script there is a button to print by.
const print = document.getElementById("print");
print.hidden = false;
print.addEventListener("click", () => window.print());
