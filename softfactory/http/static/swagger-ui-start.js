// Starts Swagger UI in a file of its own, so that the page needs no inline script.
const element = document.getElementById("docs");
SwaggerUIBundle({
  url: element.dataset.specUrl,
  domNode: element,
  deepLinking: true,
  persistAuthorization: false,
  // The validator's badge would be fetched from another host.
  validatorUrl: null,
});
