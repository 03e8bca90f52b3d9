import { live, localTimes, replace } from "/static/page.js";

const place = document.getElementById("studies");
const counts = document.getElementById("counts");

live(`${place.dataset.live}${location.search}`, (html) => {
  replace(place, html);
  const fresh = place.querySelector("#fresh-counts");
  counts.innerHTML = fresh.innerHTML;
  fresh.remove();
  localTimes(counts);
});

// An empty field is no filter, and keeps the address short.
document.getElementById("filter").addEventListener("submit", (event) => {
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});
