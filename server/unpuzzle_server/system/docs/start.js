// The reference tries requests against the server that serves it, whatever `servers` in the contract says.
const here = {
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (original) => (spec) => original({ ...spec, servers: [{ url: window.location.origin }] }),
      },
    },
  },
};

SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: true,
  validatorUrl: null,
  plugins: [() => here],
});
