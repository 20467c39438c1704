import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` sends API calls: a running `egret`. */
const backend = process.env.EGRET_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // The page is served with `default-src 'none'` and may only load files: nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/v1': backend } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
