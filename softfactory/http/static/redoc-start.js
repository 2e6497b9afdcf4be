// Starts ReDoc in a file of its own, so that the page needs no inline script.
const element = document.getElementById("docs");
Redoc.init(element.dataset.specUrl, { hideDownloadButton: false, nativeScrollbars: true }, element);
