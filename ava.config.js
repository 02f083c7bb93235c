// Unit tests and properties: these run under c8. The campaigns (test/campaigns) are named on the
// command line of `npm test`, because coverage would halve their speed.
export default {
  files: ['dist/test/**/*.test.js', 'dist/properties/**/*.test.js', '!dist/test/campaigns/**'],
  timeout: '5m',
};
