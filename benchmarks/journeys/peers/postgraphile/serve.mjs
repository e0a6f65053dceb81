// PostGraphile over the functions of __init__.py: node serve.mjs PORT SOCKETS
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import pg from "pg";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { postgraphile } from "postgraphile";

const [port, host] = process.argv.slice(2);
const pool = new pg.Pool({ host, user: "referralnet_app", database: "benchmark", max: 8 });

function member(agency) {
  const digits = createHash("md5").update(`member${agency}`).digest("hex");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ pool, schemas: ["benchmark_api"], pubsub: false })],
  grafast: {
    context: (request) => ({ pgSettings: { "referralnet.member": member(request.node.req.headers.agency) } }),
  },
  grafserv: { graphiql: false, watch: false },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(port), "127.0.0.1");
