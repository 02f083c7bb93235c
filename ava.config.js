// All tests. `npm test` runs the unit tests and properties under c8, and then the campaigns (test/campaigns) by
// themselves, because coverage would halve their speed.
export default {
  files: ['dist/test/**/*.test.js', 'dist/properties/**/*.test.js'],
  timeout: '5m',
};
