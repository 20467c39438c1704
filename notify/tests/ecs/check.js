// Holds documents, one JSON object per line on standard input, against the published fields of ECS: each has to
// be known, of its type, one of the allowed values where there are such, and an array only where it may be one.
// Fields below `egret` are our own.
const { EcsFlat } = require('@elastic/ecs');

const isIp = (value) => require('node:net').isIP(value) !== 0;
const TYPES = {
  keyword: (value) => typeof value === 'string',
  constant_keyword: (value) => typeof value === 'string',
  wildcard: (value) => typeof value === 'string',
  match_only_text: (value) => typeof value === 'string',
  long: Number.isInteger,
  float: Number.isFinite,
  date: (value) => !Number.isNaN(Date.parse(value)),
  ip: (value) => typeof value === 'string' && isIp(value),
  // Custom pairs, such as `labels`: keywords, and nothing nested.
  object: (value) => value instanceof Object && Object.values(value).every(TYPES.keyword),
};

function* problems(value, path) {
  if (path === 'egret') return;
  const field = EcsFlat[path];
  if (field === undefined) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      yield `${path} is no field of ECS`;
      return;
    }
    for (const [name, inner] of Object.entries(value)) {
      yield* problems(inner, path === '' ? name : `${path}.${name}`);
    }
    return;
  }
  if (Array.isArray(value) && !field.normalize.includes('array')) yield `${path} may be no array`;
  for (const one of [value].flat()) {
    const fits = TYPES[field.type];
    if (fits === undefined) yield `${path} has the type ${field.type}, which is not checked yet`;
    else if (!fits(one)) yield `${path} is ${JSON.stringify(one).slice(0, 100)} and no ${field.type}`;
    const allowed = field.allowed_values?.map((allowed) => allowed.name);
    if (allowed && !allowed.includes(one)) yield `${path} may not be ${one}`;
  }
}

const documents = require('node:fs').readFileSync(0, 'utf8').trim().split('\n');
const found = documents.flatMap((document) => [...problems(JSON.parse(document), '')]);
for (const problem of new Set(found)) console.log(problem);
process.exit(found.length === 0 ? 0 : 1);
