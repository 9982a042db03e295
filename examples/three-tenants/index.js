// The program of the package: one tenant for each entry of the configuration's `tenants`.
module.exports = require("pulumi-tenant/program");
