import { readFileSync } from 'node:fs';
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';
import { expect, test } from 'vitest';

test('the types are those of openapi.json; if not: npm run schema', async () => {
  const ast = await openapiTS(new URL('../../openapi.json', import.meta.url));
  const committed = readFileSync(new URL('./schema.d.ts', import.meta.url), 'utf8');
  expect(committed).toBe(`${COMMENT_HEADER}${astToString(ast)}`);
});
