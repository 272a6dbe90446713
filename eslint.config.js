import tseslint from 'typescript-eslint';

// Type-checked rules: a floating promise in a security proxy is an unhandled refusal.
export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.portcullis/'] },
  ...tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
);
